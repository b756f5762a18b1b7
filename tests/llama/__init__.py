"""llama.cpp's own server, with a model that follows a script.

It needs `pip install xllamacpp gguf`, 40 MB, and no model from elsewhere.

- `model`: the file of the model.
- `server`: the server, in a process of its own.
- `*.jinja`: templates that check a conversation as those of real models do.
"""
