def average_rating(reviews):
    """Mean number of stars, rounded for display."""
    total = sum(review["stars"] for review in reviews)
    return round(total / len(reviews), 1)
