"""The chat-completions protocol: what a model's answer is, whatever its server makes of it.

- `parser`: chunks, from the bytes on the wire. `reader`: reads them as they come. `pieces`: joins
  chunks where many come.
- `model`: a model whose answers are chunks.
- `answer`: the chunks of an answer become events and items of the Responses API.
- `delta`: what is in a chunk. `thoughts`: where models write their reasoning.
- `calls`: the tool calls of an answer. `arguments`: their arguments.
- `details`: reasoning as objects. `halves`: halves of characters.
- `endings`: finish reasons, and errors inside of an answer.

And what is sent, so that any server accepts it:

- `profile`: what an endpoint accepts. `presets`: the profiles of known ones.
"""
