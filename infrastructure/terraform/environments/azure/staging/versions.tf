terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 4.81, < 5.0"
    }
  }
}

provider "azurerm" {
  # Empty: ARM_SUBSCRIPTION_ID.
  subscription_id = var.subscription_id == "" ? null : var.subscription_id

  # Azure AD instead of account keys, which the storage account does not take.
  storage_use_azuread = true

  # The default differs between the provider's major versions, so that the list is ours.
  resource_provider_registrations = "none"
  resource_providers_to_register = [
    "Microsoft.Authorization",
    "Microsoft.Consumption",
    "Microsoft.ContainerRegistry",
    "Microsoft.ContainerService",
    "Microsoft.DBforPostgreSQL",
    "Microsoft.Insights",
    "Microsoft.KeyVault",
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
    "Microsoft.OperationalInsights",
    "Microsoft.PolicyInsights",
    "Microsoft.Storage",
  ]

  features {
    key_vault {
      purge_soft_delete_on_destroy          = !var.deletion_protection
      purge_soft_deleted_secrets_on_destroy = !var.deletion_protection
      recover_soft_deleted_key_vaults       = true
      recover_soft_deleted_secrets          = true
    }
    log_analytics_workspace {
      permanently_delete_on_destroy = !var.deletion_protection
    }
    resource_group {
      prevent_deletion_if_contains_resources = true
    }
    # The account is private: whoever applies from outside reaches Azure's management alone.
    storage {
      data_plane_available = false
    }
  }
}
