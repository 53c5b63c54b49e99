"""One module a command of `telephony`, with its parts. Nothing may import it but `cli`."""
