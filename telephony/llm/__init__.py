"""Language models behind the call: any OpenAI-compatible chat-completions endpoint, with tools.

It may import what lies below the call (settings, agents' protocol, spoken text); nothing of a call, of the
carrier or of the server. Its door is `agent.LanguageModelAgent`, which `AGENT=llm` names.
"""
