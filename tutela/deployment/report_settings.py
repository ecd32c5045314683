"""The operator's settings of reports, notices and intake: `TUTELA_REPORTS`."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from tutela.casework.reports.cybertipline.environment import Environment
from tutela.casework.reports.incident import Organisation
from tutela.casework.reports.options import Credentials, ReportOptions
from tutela.errors import InputError


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OrganisationSettings(_Strict):
    """Who reports, as authorities are told."""

    name: str = Field(min_length=1, description="The company.")
    service: str | None = Field(default=None, description="The application, as its users know it.")
    contact_first_name: str | None = None
    contact_last_name: str | None = None
    contact_email: str | None = None
    contact_phone: str | None = None
    legal_url: str | None = Field(default=None, description="Where law enforcement sends its requests.")
    terms_of_service: str | None = None
    country: str | None = Field(default=None, pattern="^[A-Z]{2}$")


class ReportSettings(_Strict):
    """Reports, takedown notices and intake."""

    organisation: OrganisationSettings | None = None
    user: str | None = Field(default=None, description="NCMEC's user name; without it nothing is filed with them.")
    password: SecretStr | None = None
    environment: Environment = Field(
        default=Environment.TEST, description="test, whose reports reach nobody, or production."
    )
    address: str | None = Field(default=None, description="Of the CyberTipline, instead of the environment's own.")
    xsd: Path | None = Field(
        default=None, description="File of the CyberTipline schema; fetched from NCMEC without it."
    )
    at_match: set[str] = Field(default_factory=set, description="Banks whose matches are filed before anybody looked.")
    public_intake: bool = Field(default=False, description="Whether anybody may report, by the form at /report.")
    intake_rate: str = Field(default="10/hour", pattern=r"^[1-9][0-9]{0,5}/(second|minute|hour|day)$")
    mail: list[str] = Field(default_factory=list, description="Who gets mail about clocks that run out.")

    def options(self) -> ReportOptions:
        """As a deployment takes them."""
        return ReportOptions(
            organisation=Organisation(**self.organisation.model_dump()) if self.organisation else None,
            environment=self.environment,
            at_match=frozenset(self.at_match),
            public_intake=self.public_intake,
            intake_rate=self.intake_rate,
            mail=tuple(self.mail),
            credentials=self.credentials(),
            xsd=self.xsd,
        )

    def credentials(self) -> Credentials | None:
        """What NCMEC gave out, where it has. Raises InputError for a half of it."""
        if self.user is None and self.password is None:
            return None
        if self.user is None or self.password is None:
            raise InputError('NCMEC\'s credentials are both: TUTELA_REPORTS=\'{"user": …, "password": …}\'')
        return Credentials(self.user, self.password.get_secret_value(), self.environment, self.address)
