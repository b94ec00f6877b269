"""HTML pages: single files without external resources."""
