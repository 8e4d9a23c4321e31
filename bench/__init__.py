"""Measurements that anyone can run again: figures to compare within one run, never tests."""
