"""Numbers that every part of the library agrees on."""

#: the value of pixels that are in no loss and no score
VOID = 255
#: how many classes uint8 label maps can hold besides background and void
MAX_CLASSES = 254
#: what files of class names call the background, in small letters
BACKGROUND_NAMES = ('background', '__background__', '_background_', 'bg')
