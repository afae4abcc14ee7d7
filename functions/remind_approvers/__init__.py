"""Reminds approvers, once, of a question whose time is running out."""
