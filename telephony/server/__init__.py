"""The server and its routes: webhooks, the media endpoint, the API, metrics, who may come in, who answers.

It may import `call`, `engine` and what is below them. Its door is `assembly`.
"""
