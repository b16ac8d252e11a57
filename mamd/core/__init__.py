"""
What to do, and nothing else: values, tables and judgements without a clock, a wire or a log.

Read in this order:

    time facts           what we know, and when
    events commands      what happens, and what we ask for
    conditions rules workflow   what a site wrote down
    link                 one attached device: does it pair, and why not
    governor storm       may this go ahead?
    run steps machine    one workflow on one device
    enrollment           what an MDM's check-ins say, and the life of its UnlockToken
    turn                 one event's effect on all of that: start here
"""
