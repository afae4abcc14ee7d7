"""What is asked of language models: requests, limits, prices and budgets."""
