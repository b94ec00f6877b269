"""Pages to look at: one HTML file that needs nothing from elsewhere."""
