"""The chat-completions protocol: what a model's answer is, whatever its server makes of it.

- `parser`: chunks, from the bytes on the wire. `reader`: reads them as they come. `pieces`: joins
  chunks where many come.
- `model`: a model whose answers are chunks.
- `answer`: the chunks of an answer become events and items of the Responses API.
- `delta`: what is in a chunk. `thoughts`: where models write their reasoning.
- `calls`: the tool calls of an answer. `arguments`: their arguments.
- `details`: reasoning as objects.
- `endings`: finish reasons, and errors inside of an answer.

And what is sent, so that any server accepts it:

- `profile`: what an endpoint accepts. `presets`: what is known of endpoints and models.
- `fitting`: a model of the Agents SDK whose requests fit. `requests`: one of these requests.
- `messages`: a conversation, from its items. `order`: the order that is accepted everywhere.
- `writing`: the messages as they are sent. `call_ids`, `schemas`: ids of calls, schemas of tools.
- `refusals`: the setting that cures a refusal.
"""
