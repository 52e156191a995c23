{{- define "platform.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/part-of: mlops
app.kubernetes.io/managed-by: {{ .Release.Service }}
mlops.io/environment: {{ .Values.platform.environment }}
{{- end }}

{{- define "platform.restricted" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- /* Binds a Role to data scientists: given the root, a namespace and the Role's name without its prefix. */}}
{{- define "platform.scientists" -}}
{{- $root := index . 0 }}
{{- with $root.Values.roles.dataScientists }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: mlops-data-scientist-{{ index $ 2 }}
  namespace: {{ index $ 1 }}
  labels:
    {{- include "platform.labels" $root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: mlops-{{ index $ 2 }}
subjects:
  {{- range . }}
  - {apiGroup: rbac.authorization.k8s.io, kind: Group, name: {{ . | quote }}}
  {{- end }}
{{- end }}
{{- end }}
