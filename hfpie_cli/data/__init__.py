"""Data for training and evaluation: degradations, crops, benchmarks."""
