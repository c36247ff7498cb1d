"""The page and the service, over HTTP."""
