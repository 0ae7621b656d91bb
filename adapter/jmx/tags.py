"""The bytes that begin a value (Java object serialization, 6.4.2). Pure."""

NULL, REFERENCE, CLASS_DESC, OBJECT, STRING, ARRAY, CLASS = range(0x70, 0x77)
BLOCK, END_BLOCK, RESET, BLOCK_LONG, EXCEPTION, LONG_STRING, PROXY, ENUM = range(0x77, 0x7F)
