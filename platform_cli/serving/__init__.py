"""Model rollouts: processes on this machine, and later KServe, behind one interface."""
