def first_title(posts):
    return posts[0]["title"]
