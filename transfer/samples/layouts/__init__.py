"""Readers of the standard layouts, for every task to reuse."""
