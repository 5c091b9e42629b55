"""What is built for one unit of work: the map of the house."""

from collections.abc import Callable
from typing import Any

from gatepost.access import Access
from gatepost.accounts import (
    Accounts,
    Deletion,
    EmailChange,
    HiddenSignUp,
    Recovery,
    Setup,
    Verification,
)
from gatepost.core.work import Work
from gatepost.exports import Exports
from gatepost.login import (
    Conditions,
    Flows,
    FlowSteps,
    KnownNetworks,
    Login,
    PasswordProver,
    ProvenAddress,
    SignInMails,
    Verdicts,
)
from gatepost.mfa import FactorResets, Factors, Mfa, RememberedDevices
from gatepost.notices import Notices
from gatepost.passkeys import (
    Challenges,
    Enrolment,
    OwnPasskeys,
    Passkeys,
    Site,
)
from gatepost.passwords import Passwords
from gatepost.proofs import MailProofs, Purpose
from gatepost.sessions import Sessions
from gatepost.tokens import (
    RefreshTokens,
    SigningKeys,
    Tokens,
)
from gatepost.users import Users
from gatepost.wiring.parts import Parts
from gatepost.wiring.passkey_factors import PasskeyFactors
from gatepost.wiring.ways_in import conditions_of, provers_of

__all__ = ["Wiring"]


class Wiring:
    """Builds services. Each method is the complete list of what its service depends on."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        options = parts.settings
        self._site = Site.of(options.passkeys, options.issuer, options.brand.name)
        self._builders: dict[type[Any], Callable[[Work], Any]] = {
            Users: self.users,
            Access: self.access,
            Sessions: self.sessions,
            Tokens: self.tokens,
            SigningKeys: self.signing_keys,
            Passwords: self.passwords,
            Passkeys: self.passkeys,
            Enrolment: self.enrolment,
            OwnPasskeys: self.own_passkeys,
            Login: self.login,
            FlowSteps: self.flow_steps,
            SignInMails: self.sign_in_mails,
            Accounts: self.accounts,
            Setup: self.setup,
            Mfa: self.mfa,
            Factors: self.factors,
            FactorResets: self.factor_resets,
            RememberedDevices: self.remembered_devices,
            MailProofs: self.mail_proofs,
            EmailChange: self.email_change,
            Deletion: self.deletion,
            Verification: self.verification,
            Recovery: self.recovery,
            Notices: self.notices,
            Exports: self.exports,
        }

    def build[S](self, service: type[S], work: Work) -> S:
        """Return the service for a unit of work."""
        return self._builders[service](work)

    def users(self, work: Work) -> Users:
        return Users(work, self._parts.cursors)

    def access(self, work: Work) -> Access:
        return Access(work)

    def sessions(self, work: Work) -> Sessions:
        return Sessions(work, self._parts.settings.sessions, self._parts.session_cookies)

    def refresh_tokens(self, work: Work) -> RefreshTokens:
        parts = self._parts
        options = parts.settings
        return RefreshTokens(work, parts.refresh_handles, parts.ring, options.tokens, options.sessions)

    def tokens(self, work: Work) -> Tokens:
        parts = self._parts
        refresh_tokens, sessions = self.refresh_tokens(work), self.sessions(work)
        return Tokens(work, parts.access_tokens, refresh_tokens, sessions, parts.settings.sessions)

    def signing_keys(self, work: Work) -> SigningKeys:
        return SigningKeys(work, self._parts.ring, self._parts.settings.tokens)

    def passwords(self, work: Work) -> Passwords:
        return Passwords(work, self._parts.hashing, self._parts.policy)

    def challenges(self, work: Work) -> Challenges:
        return Challenges(work, self._parts.settings.passkeys.challenge_lifetime)

    def passkeys(self, work: Work) -> Passkeys:
        parts = self._parts
        return Passkeys(
            work,
            self.users(work),
            self.challenges(work),
            parts.limits,
            parts.settings.passkeys,
            self._site,
        )

    def enrolment(self, work: Work) -> Enrolment:
        options = self._parts.settings.passkeys
        return Enrolment(work, self.users(work), self.challenges(work), options, self._site)

    def own_passkeys(self, work: Work) -> OwnPasskeys:
        factors = self.factors(work)
        return OwnPasskeys(
            work,
            self.users(work),
            self.tokens(work),
            self.enrolment(work),
            self._site,
            need_authority=factors.need_authority,
            has_another_way=self.passwords(work).is_set,
            changed=factors.changed,
        )

    def login(self, work: Work) -> Login:
        parts = self._parts
        options = parts.settings
        known = KnownNetworks(work, parts.network, options.limits.known_for, options.sessions)
        password = PasswordProver(work, self.users(work), self.passwords(work), parts.limits, known)
        mfa = self.mfa(work)
        return Login(
            work,
            self.users(work),
            self.sessions(work),
            self.tokens(work),
            self.flows(work),
            parts.limits,
            mfa,
            password,
            provers_of(
                work,
                self.users(work),
                password,
                (self.mail_proofs(work), self.proven_address(work)) if self._signs_in_by_mail else None,
                self.passkeys(work),
                self.enrolment(work),
                mfa,
            ),
            self.verdicts(work),
            self._conditions,
        )

    @property
    def _conditions(self) -> Conditions:
        return conditions_of(self._parts.settings, by_mail=self._signs_in_by_mail)

    def verdicts(self, work: Work) -> Verdicts:
        return Verdicts(work, self.mfa(work), self.access(work), self._conditions)

    def flow_steps(self, work: Work) -> FlowSteps:
        return FlowSteps(
            work,
            self.flows(work),
            self.verdicts(work),
            self.users(work),
            self.passkeys(work),
            self.enrolment(work),
            self.mfa(work),
            self.factor_resets(work),
            self._parts.limits,
        )

    @property
    def _signs_in_by_mail(self) -> bool:
        return self._parts.settings.login.mail and self._parts.carries_mail

    def flows(self, work: Work) -> Flows:
        return Flows(work, self._parts.flow_handles, self._parts.settings.login)

    def sign_in_mails(self, work: Work) -> SignInMails:
        users, proofs, limits = self.users(work), self.mail_proofs(work), self._parts.limits
        return SignInMails(work, users, proofs, self.flows(work), limits, on=self._signs_in_by_mail)

    def proven_address(self, work: Work) -> ProvenAddress:
        return ProvenAddress(
            work,
            self.users(work),
            self.passwords(work),
            self.passkeys(work),
            self.mfa(work),
            self.sessions(work),
            self.mail_proofs(work),
        )

    def remembered_devices(self, work: Work) -> RememberedDevices:
        options = self._parts.settings
        return RememberedDevices(work, options.mfa.remember_for, options.sessions)

    def mfa(self, work: Work) -> Mfa:
        parts = self._parts
        return Mfa(
            work,
            self.users(work),
            self.sessions(work),
            parts.ring,
            self.remembered_devices(work),
            parts.settings.mfa,
            parts.settings.brand.name,
            PasskeyFactors(self.passkeys(work)),
        )

    def factors(self, work: Work) -> Factors:
        parts = self._parts
        return Factors(
            work,
            self.mfa(work),
            self.users(work),
            self.access(work),
            self.tokens(work),
            parts.settings.mfa,
            parts.settings.accounts.fresh_for,
            parts.limits,
        )

    def factor_resets(self, work: Work) -> FactorResets:
        parts = self._parts
        return FactorResets(
            work,
            self.mfa(work),
            self.factors(work),
            self.users(work),
            self.tokens(work),
            self.mail_proofs(work),
            parts.settings.mfa,
            parts.limits,
        )

    def mail_proofs(self, work: Work) -> MailProofs:
        parts = self._parts
        return MailProofs(work, parts.run, parts.mail_code_keys, parts.settings.issuer, parts.limits)

    def verification(self, work: Work) -> Verification:
        parts = self._parts
        return Verification(
            work,
            self.users(work),
            self.passwords(work),
            self.tokens(work),
            self.mail_proofs(work),
            self.email_change(work),
            self.proven_address(work),
            parts.settings.accounts,
            parts.limits,
        )

    def email_change(self, work: Work) -> EmailChange:
        parts = self._parts
        return EmailChange(
            work,
            self.users(work),
            self.passwords(work),
            self.sessions(work),
            self.tokens(work),
            self.mail_proofs(work),
            self.mfa(work),
            parts.settings.accounts,
            parts.limits,
        )

    def deletion(self, work: Work) -> Deletion:
        options = self._parts.settings.accounts
        return Deletion(work, self.users(work), self.sessions(work), self.mail_proofs(work), options)

    def recovery(self, work: Work) -> Recovery:
        parts = self._parts
        return Recovery(
            work,
            self.users(work),
            self.passwords(work),
            self.sessions(work),
            self.mail_proofs(work),
            self.proven_address(work),
            self.mfa(work),
            parts.settings.accounts,
            parts.limits,
        )

    def accounts(self, work: Work) -> Accounts:
        parts = self._parts
        return Accounts(
            work,
            self.users(work),
            self.passwords(work),
            self.sessions(work),
            self.tokens(work),
            self.verification(work),
            self.email_change(work),
            self.deletion(work),
            self.hidden_sign_up(work),
            self.mail_proofs(work),
            self.mfa(work),
            parts.settings.accounts,
            parts.limits,
        )

    def hidden_sign_up(self, work: Work) -> HiddenSignUp:
        users, verification, proofs = self.users(work), self.verification(work), self.mail_proofs(work)
        way_in = Purpose.SIGN_IN_LINK if self._signs_in_by_mail else Purpose.RESET_PASSWORD
        return HiddenSignUp(work, users, verification, proofs, self._parts.settings.accounts, way_in)

    def setup(self, work: Work) -> Setup:
        options, limits = self._parts.settings.accounts, self._parts.limits
        return Setup(work, self.accounts(work), self.users(work), self.access(work), options, limits)

    def notices(self, work: Work) -> Notices:
        fresh_for = self._parts.settings.accounts.fresh_for
        return Notices(work, self.users(work), self.tokens(work), fresh_for)

    def exports(self, work: Work) -> Exports:
        fresh_for = self._parts.settings.accounts.fresh_for
        return Exports(work, self.users(work), self.tokens(work), fresh_for)
