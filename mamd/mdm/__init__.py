"""
The MDMs: one file a vendor, each a translator that decides nothing.

To add a vendor: write `mdm/NAME.py` with a class that implements `mamd.ports.Mdm` and says in its
`capabilities` what that vendor can do; answer in the words of `mamd.core.errors` only, by way of
`mdm/http.py`; if it posts webhooks, write `mdm/NAME_webhook.py` for `mamd.ports.Webhook`; then
name it in `wiring.py`, and add it to the list in `tests/mdm/test_contract.py`, which is the same for
all of them. Nothing else has to know.

    secret  keyfile  vault      UnlockTokens, encrypted at rest
    http                        one door for requests: limits, deadlines, what an error really means
    plist                       property lists of strangers, read within bounds
    errorchain                  a device's own error in one line without secrets
    nanomdm  nanomdm_answers    NanoMDM: asking it, and what its answers mean
    nanomdm_webhook  nanomdm_message    hearing it, and what an event says
"""
