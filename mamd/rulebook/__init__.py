"""
Reads what a site wrote down about what to do, or says where it is wrong and what would be right.

    load_all(paths) ─▶ rules, mistakes, warnings      load
    with_switches(rules, names)                       switches
    describe(rules)                                   describe
    read_devices(path, …), compare(known, read)       devices
"""
