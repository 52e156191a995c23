"""Everything on a Kubernetes cluster, whichever cloud it runs on."""
