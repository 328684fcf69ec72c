"""Findings in medical pictures, by patient."""
