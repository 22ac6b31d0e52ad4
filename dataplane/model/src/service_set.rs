use std::collections::BTreeMap;

use crate::{Service, ServiceKey};

/// All services of a director, each key once.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ServiceSet(BTreeMap<ServiceKey, Service>);

impl ServiceSet {
    /// No services.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds a service.
    ///
    /// # Errors
    /// Gives the service back if its key is there already.
    pub fn add(&mut self, service: Service) -> Result<(), Service> {
        if self.0.contains_key(&service.key()) {
            return Err(service);
        }
        self.0.insert(service.key(), service);
        Ok(())
    }

    /// Takes a service out.
    pub fn remove(&mut self, key: &ServiceKey) -> Option<Service> {
        self.0.remove(key)
    }

    /// The service with this key.
    pub fn get(&self, key: &ServiceKey) -> Option<&Service> {
        self.0.get(key)
    }

    /// The service with this key, to be changed.
    pub fn get_mut(&mut self, key: &ServiceKey) -> Option<&mut Service> {
        self.0.get_mut(key)
    }

    /// The services in the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Service> {
        self.0.values()
    }

    /// How many services there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no service.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
