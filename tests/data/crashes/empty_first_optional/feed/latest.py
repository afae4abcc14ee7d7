from typing import Optional


def newest(posts: list) -> Optional[dict]:
    ordered = sorted(posts, key=lambda post: post["at"])
    return ordered[-1]
