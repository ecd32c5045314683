def pages(chosen):
    return []
