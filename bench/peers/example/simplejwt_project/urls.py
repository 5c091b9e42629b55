"""The routes of simplejwt's documentation; ours are only GET /users/me and GET /health."""

from django.contrib.auth.models import User  # ty: ignore[import-not-found]
from django.http import HttpRequest, JsonResponse  # ty: ignore[import-not-found]
from django.urls import path  # ty: ignore[import-not-found]
from rest_framework import generics, permissions, serializers  # ty: ignore[import-not-found]
from rest_framework_simplejwt.views import (  # ty: ignore[import-not-found]
    TokenObtainPairView,
    TokenRefreshView,
)


class UserSerializer(serializers.ModelSerializer):
    """Out."""

    class Meta:
        """As much as the other subjects tell."""

        model = User
        fields = ("id", "email", "is_active", "is_superuser", "date_joined")


class Me(generics.RetrieveAPIView):
    """Whoever asks."""

    permission_classes = (permissions.IsAuthenticated,)
    serializer_class = UserSerializer

    def get_object(self) -> User:
        """Return the account that the token names."""
        return self.request.user


def health(_: HttpRequest) -> JsonResponse:
    """Answer the probe."""
    return JsonResponse({"status": "healthy"})


urlpatterns = [
    path("api/token/", TokenObtainPairView.as_view(), name="token_obtain_pair"),
    path("api/token/refresh/", TokenRefreshView.as_view(), name="token_refresh"),
    path("users/me", Me.as_view()),
    path("health", health),
]
