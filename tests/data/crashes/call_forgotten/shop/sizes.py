class Box:
    def volume(self):
        return 3


def double():
    box = Box()
    return box.volume * 2
