def centre(values):
    return np.mean(values)
