def request(path, timeout_seconds=30, retries=3):
    return path, timeout_seconds


def refresh():
    return request("/status", timeout_second=5)
