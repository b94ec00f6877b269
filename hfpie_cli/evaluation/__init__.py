"""Evaluation: metrics, methods, tables, the report page."""
