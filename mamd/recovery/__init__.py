"""
Recovery mode and erase-and-update, each attempt in a process of its own.

pymobiledevice3's restore is spoken here and nowhere else; what leaves this folder is plain data.
"""
