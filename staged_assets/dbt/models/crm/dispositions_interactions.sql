{{ dispositions('interactions') }}
