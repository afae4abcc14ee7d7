class EmptyQueue(Exception):
    """Nothing to take."""


def take(queue):
    return queue.pop()
