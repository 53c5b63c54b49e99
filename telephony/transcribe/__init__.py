"""`telephony transcribe`: a file, a URL or standard input, heard live by any Flux server.

source    through ffmpeg into 80 ms pieces of linear16
stream    those pieces to the server, its messages back
show      messages as coloured lines          subtitles  messages as SRT and WebVTT
command   the options, and what ties the others together
"""
