def first(user, scores):
    ranked = scores.sort()
    return user.name, ranked
