"""
What to do, and nothing else: values, tables and judgements without a clock, a wire or a log.

Read in this order:

    time facts          what we know, and when
    events commands     what happens, and what we ask for
    link                one attached device: does it pair, and why not
    rules workflow      what a site wrote down
    governor            may this go ahead?
    run                 one workflow on one device
    turn                one event's effect on all of that
"""
