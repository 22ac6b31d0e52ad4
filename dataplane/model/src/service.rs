use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::{Destination, Family, ForwardMethod, Netmask, Persistence, SchedulerKind, ServiceKey, ServiceSettings};

/// A virtual service and its destinations.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Service {
    key: ServiceKey,
    settings: ServiceSettings,
    destinations: Vec<Destination>,
}

/// Why a destination can't belong to a service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ServiceError {
    /// The service already has a destination with this address and port.
    DuplicateDestination(SocketAddr),
    /// Only TUN can cross address families (ipvs-facts C.8).
    FamilyMismatch(SocketAddr, ForwardMethod),
    /// Not an address of one host: unspecified, broadcast or multicast (ipvs-facts D.2).
    NotUnicast(IpAddr),
    /// The service's scheduler can't have more destinations.
    TooManyDestinations(SchedulerKind),
    /// The service has no such destination.
    UnknownDestination(SocketAddr),
    /// The netmask of persistence is of the other address family.
    NetmaskFamily(Persistence),
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateDestination(a) => write!(f, "the service has the real server {a} twice: remove one of them"),
            Self::FamilyMismatch(a, m) => write!(
                f,
                "real server {a} is of another address family than the service, which method \"{m}\" can't reach: \
                 use \"tun\" or a real server of the service's family"
            ),
            Self::NotUnicast(ip) => {
                write!(f, "{ip} is not the address of one host: use a unicast address")
            }
            Self::TooManyDestinations(scheduler) => write!(
                f,
                "a service with scheduler {scheduler} can't have more than {} real servers: choose another scheduler",
                scheduler.most_destinations().unwrap_or(usize::MAX)
            ),
            Self::UnknownDestination(a) => write!(f, "the service has no real server {a}"),
            Self::NetmaskFamily(Persistence { netmask: Netmask::V4(mask), .. }) => {
                write!(f, "{mask} is no netmask for IPv6 clients: give the length of a prefix, 1 to 128")
            }
            Self::NetmaskFamily(Persistence { netmask: Netmask::V6(length), .. }) => {
                write!(f, "{length} is a prefix of IPv6, but clients are of IPv4: give a mask as 255.255.255.0")
            }
        }
    }
}

impl std::error::Error for ServiceError {}

impl Service {
    /// A service without destinations.
    ///
    /// # Errors
    /// If the address is not unicast, or the netmask not of its family.
    pub fn new(key: ServiceKey, settings: impl Into<ServiceSettings>) -> Result<Self, ServiceError> {
        key.vip().map_or(Ok(()), check_unicast)?;
        let settings = settings.into();
        match settings.persistence {
            Some(persistence) if persistence.netmask.is_v6() != (key.family() == Family::V6) => {
                Err(ServiceError::NetmaskFamily(persistence))
            }
            _ => Ok(Self { key, settings, destinations: Vec::new() }),
        }
    }

    /// Adds a destination, as `ipvsadm -a` does.
    ///
    /// # Errors
    /// If the destination can't belong to this service; the service is unchanged then.
    pub fn add(&mut self, destination: Destination) -> Result<(), ServiceError> {
        self.check(&destination)?;
        if self.find(destination.address).is_some() {
            return Err(ServiceError::DuplicateDestination(destination.address));
        }
        if self.scheduler().most_destinations().is_some_and(|most| self.destinations.len() >= most) {
            return Err(ServiceError::TooManyDestinations(self.scheduler()));
        }
        self.destinations.push(destination);
        Ok(())
    }

    /// Gives the destination with the same address a new method and weight, as `ipvsadm -e` does.
    ///
    /// # Errors
    /// If there is no such destination, or it can't belong to this service; the service is unchanged then.
    pub fn edit(&mut self, destination: Destination) -> Result<(), ServiceError> {
        self.check(&destination)?;
        let at = self.position(destination.address)?;
        self.destinations[at] = destination;
        Ok(())
    }

    /// Takes a destination out, as `ipvsadm -d` does.
    ///
    /// # Errors
    /// If there is no such destination.
    pub fn remove(&mut self, address: SocketAddr) -> Result<Destination, ServiceError> {
        let at = self.position(address)?;
        Ok(self.destinations.remove(at))
    }

    /// Changes what can be edited; destinations stay.
    pub fn set(&mut self, settings: ServiceSettings) {
        self.settings = settings;
    }

    /// What identifies the service.
    pub const fn key(&self) -> ServiceKey {
        self.key
    }

    /// What can be edited.
    pub const fn settings(&self) -> ServiceSettings {
        self.settings
    }

    /// The rule for new connections.
    pub const fn scheduler(&self) -> SchedulerKind {
        self.settings.scheduler
    }

    /// The destinations in the order they were added. Schedulers walk the other way, newest first (ipvs-facts A.0).
    pub fn destinations(&self) -> &[Destination] {
        &self.destinations
    }

    /// The destination with this address and port.
    pub fn find(&self, address: SocketAddr) -> Option<&Destination> {
        self.destinations.iter().find(|d| d.address == address)
    }

    fn position(&self, address: SocketAddr) -> Result<usize, ServiceError> {
        self.destinations.iter().position(|d| d.address == address).ok_or(ServiceError::UnknownDestination(address))
    }

    fn check(&self, destination: &Destination) -> Result<(), ServiceError> {
        check_unicast(destination.ip())?;
        let crosses = Family::of(destination.ip()) != self.key.family();
        if crosses && destination.method != ForwardMethod::Tun {
            return Err(ServiceError::FamilyMismatch(destination.address, destination.method));
        }
        Ok(())
    }
}

fn check_unicast(ip: IpAddr) -> Result<(), ServiceError> {
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    let link_local = matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
    if broadcast || link_local || ip.is_multicast() || ip.is_unspecified() {
        return Err(ServiceError::NotUnicast(ip));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Encapsulation, Protocol, Thresholds, Weight};

    fn service() -> Service {
        let key = ServiceKey::new(Protocol::Tcp, "192.0.2.100:80".parse().unwrap());
        Service::new(key, SchedulerKind::Rr).unwrap()
    }

    fn destination(address: &str, method: ForwardMethod) -> Destination {
        Destination {
            address: address.parse().unwrap(),
            method,
            encapsulation: Encapsulation::default(),
            weight: Weight::default(),
            thresholds: Thresholds::default(),
        }
    }

    #[test]
    fn only_tun_crosses_families() {
        let mut s = service();
        let far = "[2001:db8::1]:80";
        assert!(matches!(s.add(destination(far, ForwardMethod::Nat)), Err(ServiceError::FamilyMismatch(..))));
        assert!(matches!(s.add(destination(far, ForwardMethod::Dr)), Err(ServiceError::FamilyMismatch(..))));
        s.add(destination(far, ForwardMethod::Tun)).unwrap();
    }

    #[test]
    fn a_destination_is_its_address_and_port() {
        let mut s = service();
        s.add(destination("10.0.0.1:80", ForwardMethod::Dr)).unwrap();
        s.add(destination("10.0.0.1:81", ForwardMethod::Nat)).unwrap();
        assert!(matches!(
            s.add(destination("10.0.0.1:80", ForwardMethod::Nat)),
            Err(ServiceError::DuplicateDestination(_))
        ));
        s.edit(destination("10.0.0.1:80", ForwardMethod::Nat)).unwrap();
        assert_eq!(s.destinations()[0].method, ForwardMethod::Nat);
        s.remove("10.0.0.1:80".parse().unwrap()).unwrap();
        assert_eq!(s.destinations().len(), 1);
    }

    #[test]
    fn maglev_has_no_more_destinations_than_its_table_has_slots() {
        let mut s = service();
        s.set(SchedulerKind::Mh.into());
        let one = |port: u16| destination(&format!("10.0.0.1:{port}"), ForwardMethod::Nat);
        (1..=4093).for_each(|port| s.add(one(port)).unwrap());
        assert_eq!(s.add(one(4094)), Err(ServiceError::TooManyDestinations(SchedulerKind::Mh)));
    }

    #[test]
    fn a_netmask_is_of_the_services_family() {
        let persistence = Some(Persistence { timeout: 360, netmask: Netmask::HOST_V6, engine: None });
        let settings = ServiceSettings { persistence, ..ServiceSettings::default() };
        assert!(matches!(Service::new(service().key(), settings), Err(ServiceError::NetmaskFamily(_))));
    }

    #[test]
    fn addresses_that_are_no_host_are_refused() {
        let mut s = service();
        for bad in ["0.0.0.0:80", "224.0.0.1:80", "255.255.255.255:80", "[ff02::1]:80", "[fe80::1]:80"] {
            let refused = s.add(destination(bad, ForwardMethod::Tun));
            assert!(matches!(refused, Err(ServiceError::NotUnicast(_))), "{bad}");
        }
    }
}
