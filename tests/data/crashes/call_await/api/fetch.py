async def fetch(post_id):
    return {"title": f"post {post_id}"}


async def title(post_id):
    post = fetch(post_id)
    return post["title"]
