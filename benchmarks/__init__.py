"""Our figures beside a peer's or a bare floor's, taken in one run: `make bench`."""
