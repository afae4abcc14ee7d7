def numbered(lines):
    result = []
    for i in range(0, len(lines) + 1):
        result.append(f"{i + 1}. {lines[i]}")
    return result
