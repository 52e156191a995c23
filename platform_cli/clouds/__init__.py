"""Where the platform can run: one module per cloud, behind one Protocol, in one dict."""
