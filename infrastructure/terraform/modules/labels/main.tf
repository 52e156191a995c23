locals {
  prefix        = join("-", [var.product, var.tenant, var.environment])
  deployment_id = var.deployment_id != "" ? var.deployment_id : substr(sha256("${local.prefix}/${var.scope}"), 0, 10)
  # Six characters are enough: the names before it differ already.
  unique = substr(sha256(local.deployment_id), 0, 6)

  # An object's unset attribute is null; "" is a wish (the prefix alone).
  dashed = {
    for key, item in var.resources : key => join("-", compact([
      local.prefix,
      item.resource == null ? key : item.resource,
      local.limits[item.kind].unique ? local.unique : "",
    ]))
  }
  full = {
    for key, name in local.dashed : key => local.limits[var.resources[key].kind].plain ? replace(name, "-", "") : name
  }

  # What is too long keeps its start and ends in six characters of its hash.
  names = {
    for key, name in local.full : key => length(name) <= local.limits[var.resources[key].kind].max ? name : join(
      local.limits[var.resources[key].kind].plain ? "" : "-",
      [
        trimsuffix(substr(name, 0, local.limits[var.resources[key].kind].max - 7), "-"),
        substr(sha256(name), 0, 6),
      ],
    )
  }

  tags = tomap(merge(var.tags, {
    deployment-id = local.deployment_id
    environment   = var.environment
    managed-by    = "terraform"
    owner         = var.owner
    product       = var.product
    tenant        = var.tenant
  }))

  # Google's labels: lower-case letters, digits, _ and -, at most 63, and the key starts with a letter.
  labels = {
    for key, value in local.tags :
    substr(replace(lower(key), "/[^a-z0-9_-]/", "-"), 0, 63) => substr(replace(lower(value), "/[^a-z0-9_-]/", "-"), 0, 63)...
  }
}
