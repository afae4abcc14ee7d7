def render():
    import package_that_is_not_installed

    return package_that_is_not_installed.render()
