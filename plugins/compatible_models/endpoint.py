"""The settings of an endpoint, and presets for well-known providers."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, Field, SecretStr

from chatkit_server import Size
from chatkit_server.models import BaseUrl, ModelTimeouts, Profile, profile_of


@dataclass(frozen=True)
class Preset:
    """Where a well-known provider is; what it accepts is in its profile."""

    base_url: str
    needs_key: bool = True


PRESETS = {
    "anthropic": Preset("https://api.anthropic.com/v1/"),
    "cerebras": Preset("https://api.cerebras.ai/v1"),
    "cohere": Preset("https://api.cohere.ai/compatibility/v1"),
    "dashscope": Preset("https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
    "deepinfra": Preset("https://api.deepinfra.com/v1/openai"),
    "deepseek": Preset("https://api.deepseek.com/v1"),
    "fireworks": Preset("https://api.fireworks.ai/inference/v1"),
    "gemini": Preset("https://generativelanguage.googleapis.com/v1beta/openai/"),
    "github": Preset("https://models.github.ai/inference"),
    "groq": Preset("https://api.groq.com/openai/v1"),
    "huggingface": Preset("https://router.huggingface.co/v1"),
    "hyperbolic": Preset("https://api.hyperbolic.xyz/v1"),
    "jan": Preset("http://localhost:1337/v1", needs_key=False),
    "koboldcpp": Preset("http://localhost:5001/v1", needs_key=False),
    "llamacpp": Preset("http://localhost:8080/v1", needs_key=False),
    "lmstudio": Preset("http://localhost:1234/v1", needs_key=False),
    "localai": Preset("http://localhost:8080/v1", needs_key=False),
    "minimax": Preset("https://api.minimax.io/v1"),
    "mistral": Preset("https://api.mistral.ai/v1"),
    "moonshot": Preset("https://api.moonshot.ai/v1"),
    "nvidia": Preset("https://integrate.api.nvidia.com/v1"),
    "ollama": Preset("http://localhost:11434/v1", needs_key=False),
    "openai": Preset("https://api.openai.com/v1"),
    "openrouter": Preset("https://openrouter.ai/api/v1"),
    "perplexity": Preset("https://api.perplexity.ai"),
    "sambanova": Preset("https://api.sambanova.ai/v1"),
    "sglang": Preset("http://localhost:30000/v1", needs_key=False),
    "together": Preset("https://api.together.xyz/v1"),
    "vllm": Preset("http://localhost:8000/v1", needs_key=False),
    "xai": Preset("https://api.x.ai/v1"),
    "zai": Preset("https://api.z.ai/api/paas/v4"),
}


class Endpoint(BaseModel):
    """One endpoint. Defaults come from the preset of the same name, if there is one.

    `profile` is what the endpoint accepts, where that differs from the presets. `stream_usage` is
    whether to ask for the number of tokens used; it sets the profile's `stream_options`.
    `max_retries` counts retries before the answer begins. `max_event` is the largest event of a
    stream, `max_answer` the largest answer, as it is sent.
    """

    base_url: BaseUrl | None = None
    api_key: SecretStr | None = None
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    timeouts: ModelTimeouts = ModelTimeouts()
    max_retries: int = Field(2, ge=0)
    max_event: Size = Field(4_000_000, ge=1000)
    max_answer: Size = Field(100_000_000, ge=1000)
    stream_usage: bool | None = None
    profile: Profile = Profile()

    @property
    def key(self) -> str:
        """The API key, or ""."""
        return self.api_key.get_secret_value() if self.api_key is not None else ""

    def profile_for(self, name: str, model: str) -> Profile:
        """Return what this endpoint, which has this name, accepts for a model."""
        profile = profile_of(name, model, self.profile)
        if self.stream_usage is None:
            return profile
        return profile.but(Profile(stream_options=self.stream_usage))


def with_preset(name: str, endpoint: Endpoint) -> Endpoint:
    """Return the endpoint with its preset's values; raises `ValueError` for what is missing."""
    if not name or "/" in name:
        raise ValueError(f"`{name}` cannot be the prefix of a model's name")
    preset = PRESETS.get(name)
    if endpoint.base_url is None:
        if preset is None:
            raise ValueError(
                f"{name}: add `base_url: https://...`. Only these need none: {', '.join(PRESETS)}"
            )
        if preset.needs_key and not endpoint.key:
            raise ValueError(
                f"{name}: add `api_key: ${{{name.upper()}_API_KEY}}`, and set that variable"
            )
        endpoint = endpoint.model_copy(update={"base_url": preset.base_url})
    return endpoint
