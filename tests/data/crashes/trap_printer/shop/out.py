def out(text):
    printer(text)
