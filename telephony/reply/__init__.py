"""What the caller said -> what we say: agents and scripts. An agent imports its names from `telephony`."""
