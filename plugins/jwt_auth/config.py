"""The settings, and the algorithms that they may name."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, field_validator, model_validator

from chatkit_server import Duration, Size, Url

SYMMETRIC = ("HS256", "HS384", "HS512")
ASYMMETRIC = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "ES256K", "EdDSA"),
)


def _comma_separated(value: Any) -> Any:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


class Config(BaseModel):
    """How tokens are checked, and which of their claims identify the user.

    Set `secret` (for HS256, HS384, HS512), `public_key` (PEM text, or the path of a PEM file),
    `jwks_url`, or several: then tokens of each are accepted, as a migration needs. Without
    `algorithms`, a secret is for HS256, and a key for every algorithm that it fits. An expired
    token is refused, and so is one without `exp` unless `require_exp` is false. With `required:
    false`, the next plugin authenticates requests that have no token. If several issuers may use
    the same user id, set `tenant_claim: iss`. A claim inside of another one has a path: `org.id`.
    `no_tenant` is for users without the claim: `refuse` them, have them in the tenant of all who
    have `none`, or give each an `own` one.

    Keys from `jwks_url` are fetched again when they are older than `jwks_max_age`, and when a
    token names an unknown key, but at most once per `jwks_cooldown`; the request waits for it. A
    redirect, more than `jwks_max_size` and a fetch longer than `jwks_timeout` are errors; the old
    keys are kept then.
    """

    secret: SecretStr | None = None
    public_key: str | None = None
    jwks_url: Url | None = None
    algorithms: Annotated[list[str], BeforeValidator(_comma_separated)] = Field(
        default_factory=list
    )
    issuer: str | list[str] | None = None
    audience: str | list[str] | None = None
    leeway: Duration = 30.0
    require_exp: bool = True
    user_claim: Annotated[str, Field(min_length=1)] = "sub"
    tenant_claim: str | None = None
    no_tenant: Literal["refuse", "none", "own"] = "refuse"
    name_claim: str | None = "name"
    required: bool = True
    jwks_timeout: Duration = 4.0
    jwks_max_age: Duration = 600.0
    jwks_cooldown: Duration = 3.0
    jwks_max_size: Size = 1_000_000

    @field_validator("algorithms")
    @classmethod
    def _known(cls, algorithms: list[str]) -> list[str]:
        for name in algorithms:
            if name not in SYMMETRIC + ASYMMETRIC:
                known = ", ".join(SYMMETRIC + ASYMMETRIC)
                raise ValueError(f"{name} is not supported. Use one of {known}")
        return algorithms

    @field_validator("user_claim", "tenant_claim", "name_claim")
    @classmethod
    def _a_name_or_a_path(cls, claim: str | None) -> str | None:
        if claim and (claim != claim.strip() or not all(claim.split("."))):
            raise ValueError(
                "expected the name of a claim, such as org, or its path, such as org.id"
            )
        return claim

    @property
    def symmetric(self) -> list[str]:
        """The algorithms that are set for a secret."""
        return [name for name in self.algorithms if name in SYMMETRIC]

    @property
    def asymmetric(self) -> list[str]:
        """The algorithms that are set for keys."""
        return [name for name in self.algorithms if name in ASYMMETRIC]

    @model_validator(mode="after")
    def _tenants_have_a_claim(self) -> Config:
        if self.no_tenant != "refuse" and not self.tenant_claim:
            raise ValueError("`no_tenant` is for users without the claim: set `tenant_claim`, too")
        return self

    @model_validator(mode="after")
    def _keys_for_all_algorithms(self) -> Config:
        key = self.public_key is not None or self.jwks_url is not None
        both = (("a secret", SYMMETRIC, self.secret is not None), ("a public key", ASYMMETRIC, key))
        kinds = [(kind, names) for kind, names, is_set in both if is_set]
        if not kinds:
            raise ValueError("set `secret`, `public_key` or `jwks_url`")
        fitting = [name for _, names in kinds for name in names]
        for name in self.algorithms:
            if name not in fitting:
                raise ValueError(
                    f"algorithms: {name} does not work with {kinds[0][0]}. Use one of "
                    f"{', '.join(fitting)}"
                )
        for kind, names in kinds:
            if self.algorithms and not set(names) & set(self.algorithms):
                raise ValueError(
                    f"algorithms: none of them works with {kind}. Add one of {', '.join(names)}"
                )
        return self
