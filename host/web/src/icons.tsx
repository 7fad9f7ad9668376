// Small drawings in the colour of the text around them. All are decoration: the text is beside them.

import type { ComponentChildren } from "preact";

function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" fill="none" stroke="currentColor"
      stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round">
      {children}
    </svg>
  );
}

export const NowIcon = () => (
  <Icon>
    <circle cx="5" cy="12" r="2.6" />
    <circle cx="19" cy="12" r="2.6" />
    <path d="M7.8 12c3-5 5.4 5 8.4 0" />
  </Icon>
);

export const UsageIcon = () => (
  <Icon>
    <path d="M4 20V4M4 14h16M8 14V8M12 14V5M16 14v4M20 14v-3" />
  </Icon>
);

export const ContractIcon = () => (
  <Icon>
    <path d="M6 3h9l4 4v14H6zM15 3v4h4M9 12h7M9 16h5" />
  </Icon>
);

export const LogIcon = () => (
  <Icon>
    <path d="M9 6h11M9 12h11M9 18h11M4.5 6h.01M4.5 12h.01M4.5 18h.01" />
  </Icon>
);

export const BillIcon = () => (
  <Icon>
    <path d="M5 3h14v18l-3-2-2 2-2-2-2 2-2-2-3 2zM9 8h6M9 12h6" />
  </Icon>
);

export const SunIcon = () => (
  <Icon>
    <circle cx="12" cy="12" r="4" />
    <path d="M12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6 7 7M17 17l1.4 1.4M18.4 5.6 17 7M7 17l-1.4 1.4" />
  </Icon>
);

export const MoonIcon = () => (
  <Icon>
    <path d="M20 14.5A8 8 0 1 1 9.5 4a6.5 6.5 0 0 0 10.5 10.5z" />
  </Icon>
);

export const LockIcon = () => (
  <Icon>
    <rect x="5" y="11" width="14" height="9" rx="2" />
    <path d="M8 11V8a4 4 0 0 1 8 0v3" />
  </Icon>
);

export const PersonIcon = () => (
  <Icon>
    <circle cx="12" cy="8" r="3.6" />
    <path d="M4.8 20c.8-4 3.6-6 7.2-6s6.4 2 7.2 6" />
  </Icon>
);

/** A contact, as an electrician draws it: closed it carries, open it does not. */
export const RelayIcon = ({ closed }: { closed: boolean | null }) => (
  <Icon>
    <path d="M2 15h5M17 15h5" />
    <circle cx="8.5" cy="15" r="1.4" />
    <circle cx="15.5" cy="15" r="1.4" />
    {closed ? <path d="M9.9 15h4.2" /> : <path d="M9.7 14.2 15 7.5" />}
  </Icon>
);
